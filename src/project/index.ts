export { projectApp, type Project, type ProjectGraph } from "./app.ts";
