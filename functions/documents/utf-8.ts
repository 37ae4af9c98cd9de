export const text = `# What makes UTF-8 a good encoding

Unicode gives a number to every character, and an encoding decides how these numbers become bytes. UTF-8 is the
encoding of nearly all text on the web, and it won without any law or committee to enforce it. Ken Thompson and Rob
Pike sketched it on a placemat in a diner in September 1992, and had the Plan 9 operating system converted within a
week. It is worth looking at which properties made it win.

## The scheme

A character is written as one to four bytes. The first byte tells how many follow, and every following byte starts
with the bits \`10\`:

| code points        | bytes                                 |
| ------------------ | ------------------------------------- |
| U+0000 – U+007F    | \`0xxxxxxx\`                            |
| U+0080 – U+07FF    | \`110xxxxx 10xxxxxx\`                   |
| U+0800 – U+FFFF    | \`1110xxxx 10xxxxxx 10xxxxxx\`          |
| U+10000 – U+10FFFF | \`11110xxx 10xxxxxx 10xxxxxx 10xxxxxx\` |

## Three properties that matter

**ASCII is already UTF-8.** A program from 1975 that splits a file at line feeds or looks for a slash in a path works
on UTF-8 text unchanged, because the byte of an ASCII character never appears inside another character. No other
encoding of Unicode has this property, and it made migration possible one program at a time.

**It synchronises itself.** A reader who starts in the middle of a stream, or after a damaged byte, skips the bytes
that begin with \`10\` and finds the start of the next character after three bytes at most. An error destroys one
character and not the rest of the file. For the same reason a plain search for bytes finds a substring correctly and
never matches in the middle of a character.

**Sorting bytes sorts code points.** Comparing two UTF-8 strings byte by byte gives the same order as comparing their
code points, so databases can index text without decoding it.

## Where care is needed

A decoder must reject what the table does not allow. The slash could be written in two bytes by padding it with zeros,
and such overlong forms have been used to smuggle a path past a security check that looked for the single byte. A
correct decoder refuses overlong forms, the surrogates U+D800 to U+DFFF, and everything above U+10FFFF.

The length of a string has no single answer either. The same word has a number of bytes, a number of code points, and
a number of characters as a person would count them:

~~~ts
const flag = "🇳🇴";
new TextEncoder().encode(flag).length; // 8 bytes
[...flag].length; // 2 code points
[...new Intl.Segmenter().segment(flag)].length; // 1 character
~~~

A limit such as "at most 280 characters" has to say which of them it means. Cutting a string at a number of bytes can
split a character, and cutting it at a number of code points can take the flag of a country apart. Text that is
shortened for people should be cut between the clusters that a segmenter finds.
`;
