export const text = `# How a tide table is computed

Tide tables are among the oldest predictions that people rely on every day, and among the most accurate. A harbour
master can look up the height of the water at four in the afternoon ten years from now and expect the answer to be
right within a hand's breadth, weather permitting. No simulation of the ocean is needed for that. The method is
harmonic analysis, and its idea fits on a page.

## The sea as a sum of waves

The Moon and the Sun pull on the ocean, and their positions relative to a point on Earth repeat in known periods. Each
period drives a regular rise and fall of the water, called a tidal constituent. The height of the tide is the sum of
these constituents, and each of them is a plain cosine:

~~~
height(t) = mean level + Σ amplitude · cos(speed · t + phase)
~~~

The speeds come from astronomy and are the same everywhere. The strongest constituents in most harbours are few:

| name | period  | cause                              |
| ---- | ------- | ---------------------------------- |
| M2   | 12.42 h | the Moon                           |
| S2   | 12.00 h | the Sun                            |
| N2   | 12.66 h | the Moon's changing distance       |
| K1   | 23.93 h | the tilt of the orbits             |
| O1   | 25.82 h | the tilt of the Moon's orbit       |

Amplitudes and phases, on the other hand, belong to the place. The shape of the coast and the depth of the sea decide
how strongly a harbour answers to each constituent and how late. The Bay of Fundy happens to swing in time with M2 and
reaches a range of sixteen metres, while the Mediterranean, closed off by a narrow strait, hardly notices the Moon.

## From measurements to a table

A tide gauge records the water level for at least a month, better for a year. Because the speeds are known, finding
the amplitudes and phases is a linear least squares problem: write each cosine as a sum of a cosine and a sine without
phase, and solve for the coefficients. A year of hourly readings gives 8,760 equations for some sixty constituents,
which a laptop solves in an instant. In the nineteenth century the sum was evaluated by a brass machine of wheels and
pulleys that drew the curve of a year in a few hours.

Close constituents can only be told apart when the record is long enough for them to drift by one full cycle. M2 and
S2 separate after fifteen days, which is the cycle of spring and neap tides, but others need a year, and the slow
precession of the Moon's orbit takes 18.6 years and is corrected from theory.

## What the table leaves out

The table predicts the tide and not the water level. Wind pushes water towards the coast, and low air pressure lets
the sea rise by about one centimetre for each hectopascal. A storm surge can add three metres to the predicted tide.
Harbours therefore publish both numbers: the astronomical tide, computed years ahead, and the residual, which is a
matter for the weather forecast.
`;
