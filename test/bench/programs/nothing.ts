/** What Node itself takes. */

console.log("loaded");
