import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

export const app = new Hono();

app.use(async (context, next) => {
  context.header("x-seen-by", "middleware");
  await next();
});
app.get("/hello/:name", ({ req, json }) => json({ hello: req.param("name") }));
app.get("/teapot", () => {
  throw new HTTPException(418, { message: "short and stout" });
});
