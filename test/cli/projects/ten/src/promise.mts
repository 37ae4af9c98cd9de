import { builder } from "./builder.js";

const ready = await Promise.resolve(builder);

export default Promise.resolve(ready.compile());
