/** React's `useStream`, in both official forms, in a real browser, against ours. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer } from "../support/server.ts";
import { bundle, openBrowser, openPage } from "./browser.ts";
import { asking, echoing, halting } from "./graphs.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});

afterAll(async () => {
  await browser.close();
});

/** What the page shows, once it shows that. */
async function shows(page: Page, expected: readonly string[]): Promise<void> {
  await expect
    .poll(async () => page.locator("li > span").allTextContents(), { timeout: 20_000 })
    .toEqual(expected);
}

async function isIdle(page: Page): Promise<void> {
  await page.locator('main[data-loading="false"]').waitFor();
}

describe.each(["v1", "v2"])("useStream %s", (version) => {
  let script: string;

  beforeAll(async () => {
    script = await bundle(version);
  });

  async function open(graphs: Parameters<typeof startServer>[0]["graphs"], assistant: string) {
    const server = await startServer({ graphs });
    const page = await openPage(browser, { serverUrl: server.url, script, assistant });
    return {
      page,
      [Symbol.asyncDispose]: async () => {
        await page[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  }

  test("an answer arrives, and the next one after it", async () => {
    await using opened = await open([{ name: "echoing", graph: echoing }], "echoing");
    const { page } = opened;
    await page.getByText("say hello").click();
    await shows(page, ["hello", "You said hello"]);
    await isIdle(page);
    await page.getByText("say hello").click();
    await shows(page, ["hello", "You said hello", "hello", "You said hello"]);
  });

  test("an interrupt is shown, and answered", async () => {
    await using opened = await open([{ name: "asking", graph: asking }], "asking");
    const { page } = opened;
    await page.getByText("say hello").click();
    await expect.poll(async () => page.locator("#question").textContent()).toContain('{"ask":"really?"}');
    await page.getByText("answer", { exact: true }).click();
    await shows(page, ["hello", "Answered yes"]);
    await page.locator("#question").waitFor({ state: "detached" });
  });

  test("an earlier message is said otherwise, in a branch of its own", async () => {
    await using opened = await open([{ name: "echoing", graph: echoing }], "echoing");
    const { page } = opened;
    await page.getByText("say hello").click();
    await shows(page, ["hello", "You said hello"]);
    await isIdle(page);
    await page.getByText("edit 0").click();
    await shows(page, ["hello instead", "You said hello instead"]);
  });

  test("a page that is loaded again in the middle of an answer shows it to its end", async () => {
    const { graph, open: letGo } = halting();
    await using opened = await open([{ name: "halting", graph }], "halting");
    const { page } = opened;
    await page.getByText("say hello").click();
    await shows(page, ["hello", "Wait"]);
    await page.reload();
    await shows(page, ["hello", "Wait"]);
    letGo();
    await shows(page, ["hello", "Wait", "Done"]);
    await isIdle(page);
  });
});
