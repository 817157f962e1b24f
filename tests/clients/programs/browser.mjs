// Debian's Chromium, with a page of a web client in it. Told what to do as a person at the screen would do it.
//
//     browser.mjs CERTIFICATE FOLDER

import { X509Certificate, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { load } from "./modules.mjs";
import { obey } from "./orders.mjs";

const { chromium } = (await load("playwright-core")).default;
const [certificate, folder] = process.argv.slice(2);

const key = new X509Certificate(readFileSync(certificate)).publicKey.export({ type: "spki", format: "der" });
const trusted = createHash("sha256").update(key).digest("base64");
const context = await chromium.launchPersistentContext(`${folder}/profile`, {
    executablePath: process.env.CLIENT_BROWSER,
    viewport: { width: 1200, height: 800 },
    // No sandbox of its own: a browser of root's has none. It trusts this one certificate beside the usual authorities.
    args: ["--no-sandbox", "--disable-dev-shm-usage", `--ignore-certificate-errors-spki-list=${trusted}`],
});
context.setDefaultTimeout(60_000);
const pages = {};

async function page(name) {
    if (!pages[name]) {
        pages[name] = await context.newPage();
        pages[name].on("pageerror", (error) => console.error("page:", error.stack ?? error));
        pages[name].on("console", (message) => console.error("console:", message.text()));
    }
    return pages[name];
}

/// What an order means on the screen: an element with these words, or one that a selector finds.
async function target({ tab, selector, words }) {
    const found = (await page(tab)).locator(selector ?? "body *:visible");
    return (words === undefined ? found : found.getByText(words, { exact: true }).or(found.filter({ hasText: words }))).last();
}

await obey({
    ready: () => context.browser()?.version() ?? "chromium",
    open: async ({ tab, url }) => void (await (await page(tab)).goto(url)),
    click: async (order) => (await target(order)).click(),
    fill: async ({ text, ...order }) => (await target(order)).fill(text),
    press: async ({ tab, key }) => (await page(tab)).keyboard.press(key),
    /// Waits until it is there; all its words.
    see: async (order) => {
        const found = await target(order);
        await found.waitFor();
        return found.innerText();
    },
    /// Waits until nothing of the kind is there.
    gone: async ({ tab, selector }) => (await page(tab)).locator(selector).first().waitFor({ state: "hidden" }),
    /// What stands in each element of a kind.
    all: async ({ tab, selector }) => (await page(tab)).locator(selector).allInnerTexts(),
    /// The events that Hydrogen has of the room that is open.
    events: async ({ tab }) => (await page(tab)).evaluate(() => window.openRoom()),
    picture: async ({ tab, path }) => void (await (await page(tab)).screenshot({ path })),
});
