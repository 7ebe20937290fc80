// Drives GraphiQL pages in headless Chromium. Reads one command a line, as JSON, from stdin, and answers each with one
// line: {"ok": …} or {"failed": …}. Python's side is tests/web/browser.py.
//
// node graphiql_page.mjs CHROMIUM
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const TIMEOUT_MS = 20_000;

// Playwright gives it an empty profile of its own and removes that at the end.
const browser = await chromium.launch({
  executablePath: process.argv[2],
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Any other host is as unreachable as on a machine without network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});

let context;
let page;
let complaints;
let requestedHosts;

/** A visitor who was never here before. */
async function newVisitor() {
  await context?.close();
  complaints = [];
  requestedHosts = new Set();
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(TIMEOUT_MS);
  context.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:") requestedHosts.add(host);
  });
  context.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText;
    // What a reload interrupts.
    if (reason !== "net::ERR_ABORTED") complaints.push(`failed: ${request.url()} ${reason}`);
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(`uncaught: ${error.error().stack}`));
  context.on("page", (opened) => {
    opened.on("websocket", (socket) => requestedHosts.add(new URL(socket.url()).host));
  });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
      window.violations.push(`${effectiveDirective} ${blockedURI}`),
    );
    window.layoutShift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.layoutShift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  page = await context.newPage();
}

const editor = (name) => page.locator(`.graphiql-${name}`);

/** The text of an editor, as far as it is in view. Monaco keeps lines in no order and draws spaces as no-break spaces. */
async function shown(name) {
  const lines = await editor(name)
    .locator(".view-line")
    .evaluateAll((all) =>
      all.sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top)).map((line) => line.textContent),
    );
  return lines.join("\n").replaceAll("\u00a0", " ");
}

async function until(name, text) {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const now = await shown(name);
    if (now.includes(text)) return now;
    if (Date.now() > deadline) throw new Error(`never ${JSON.stringify(text)}, but ${JSON.stringify(now)}`);
    await page.waitForTimeout(20);
  }
}

async function fill(name, text) {
  await editor(name).locator(".view-lines").first().click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  // Pasted, not typed: typing would be helped along by completion and closing brackets.
  await page.keyboard.insertText(text);
}

function usePage(index) {
  page = context.pages().at(index);
  return page.bringToFront();
}

const commands = {
  async open({ url }) {
    await newVisitor();
    await page.goto(new URL("/graphql", url).href);
    await page.locator(".graphiql-query-editor .view-line").first().waitFor();
  },
  leave: () => context.close(),
  reload: () => page.reload(),
  async openCopy() {
    // As a browser's "Duplicate tab" does: sessionStorage is copied.
    const [copy] = await Promise.all([context.waitForEvent("page"), page.evaluate(() => void window.open(location.href))]);
    page = copy;
    await page.locator(".graphiql-query-editor .view-line").first().waitFor();
  },
  useFirstPage: () => usePage(0),
  useLastPage: () => usePage(-1),
  tabs: () => page.locator(".graphiql-tab-button").allInnerTexts(),
  tab: ({ title }) => page.locator(".graphiql-tab-button", { hasText: title }).click(),
  query: ({ text }) => fill("query-editor", text),
  async headers({ text }) {
    await page.getByRole("button", { name: "Headers", exact: true }).click();
    await fill("editor-tool .graphiql-editor:not(.hidden)", text);
  },
  run: () => page.locator(".graphiql-execute-button").click(),
  ended: () => page.getByRole("button", { name: "Execute query" }).waitFor(),
  response: () => shown("response"),
  async responses({ count }) {
    const seen = [];
    const deadline = Date.now() + TIMEOUT_MS;
    while (seen.length < count && Date.now() < deadline) {
      const text = await shown("response");
      if (text.trim() && text !== seen.at(-1)) seen.push(text);
      await page.waitForTimeout(20);
    }
    return seen;
  },
  /** Each text shown in the next while. */
  async responsesFor({ milliseconds }) {
    const seen = [];
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
      const text = await shown("response");
      if (text !== seen.at(-1)) seen.push(text);
      await page.waitForTimeout(20);
    }
    return seen;
  },
  responseWith: ({ text }) => until("response", text),
  queryWith: ({ text }) => until("query-editor", text),
  text: ({ text }) => page.getByText(text).waitFor(),
  marked: () => page.locator(".graphiql-query-editor .squiggly-error").first().waitFor(),
  async sign({ how, username, password }) {
    await page.getByLabel("Username").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: how }).click();
  },
  signOut: () => page.getByRole("button", { name: "Sign out" }).click(),
  async bar({ text }) {
    await page.locator(".bar", { hasText: text }).waitFor();
    return page.locator(".bar").innerText();
  },
  // "vs-dark" or "vs": what Monaco's colours are based on.
  editorTheme: ({ expected }) => page.locator(`.graphiql-query-editor .monaco-editor.${expected}`).waitFor(),
  storage: () =>
    page.evaluate(() => ({ local: JSON.stringify(localStorage), session: JSON.stringify(sessionStorage) })),
  docs: () => page.getByRole("button", { name: /Documentation Explorer/ }).click(),
  prettify: () => page.getByRole("button", { name: /Prettify/ }).click(),
  look: async ({ scheme, width, height }) => {
    if (scheme) await page.emulateMedia({ colorScheme: scheme });
    if (width) await page.setViewportSize({ width, height });
  },
  screenshot: ({ path }) => page.screenshot({ path }),
  // The size of what the page does not show because it sticks out of the window.
  overflow: () =>
    page.evaluate(() => [
      document.documentElement.scrollWidth - innerWidth,
      document.documentElement.scrollHeight - innerHeight,
    ]),
  layoutShift: () => page.evaluate(() => window.layoutShift),
  async complaints() {
    const violations = await Promise.all(context.pages().map((open) => open.evaluate(() => window.violations)));
    const workers = page.workers().length;
    return { complaints, violations: violations.flat(), hosts: [...requestedHosts], workers };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await commands[command](given)) ?? null };
  } catch (error) {
    answer = { failed: String(error.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
