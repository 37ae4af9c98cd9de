/** A real browser with a page of ours; the API that it calls is the server's. */

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

/** Debian's; CHROMIUM names another. */
const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox", "--disable-gpu"] });
}

/** The script of a page in `pages/`, for the browser. */
export async function bundle(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`pages/${name}.tsx`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0]?.text ?? "";
}

/** Opens the page in a context of its own, as another person would. */
export async function openPage(
  browser: Browser,
  { serverUrl, script, assistant }: { serverUrl: string; script: string; assistant: string },
): Promise<Page & AsyncDisposable> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route("**/chat?*", async (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><div id="root"></div><script type="module" src="/script.js"></script>`,
    }),
  );
  await page.route("**/script.js", async (route) =>
    route.fulfill({ contentType: "text/javascript", body: script }),
  );
  await page.goto(`${new URL(serverUrl).origin}/chat?assistant=${assistant}`);
  return Object.assign(page, { [Symbol.asyncDispose]: async () => context.close() });
}
