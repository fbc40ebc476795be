// Reads every page of the built book in a browser, with the network cut off:
//   node check.cjs FOLDER [SCREENSHOTS]
// Fails on broken links, console errors, requests to other machines, images without alt text, pages that scroll
// sideways on a phone, and on what axe-core finds serious or critical, in the light and in the dark theme.
const fs = require("fs");
const http = require("http");
const path = require("path");
const { chromium } = require("playwright-core");

const root = path.resolve(process.argv[2]);
const pictures = process.argv[3];
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png" };
const VIEWS = [
  { name: "light", width: 1280, height: 900, colorScheme: "light" },
  { name: "dark-phone", width: 360, height: 740, colorScheme: "dark" },
];
const problems = [];
const minor = {};
const links = new Map(); // address -> page that names it
const anchors = new Map(); // page -> ids on it
let images = 0;
let formulas = 0;

function pagesOf(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "_static" ? [] : pagesOf(place);
    return entry.name.endsWith(".html") ? [path.relative(root, place)] : [];
  });
}

const server = http.createServer((request, response) => {
  const place = path.join(root, decodeURIComponent(new URL(request.url, "http://x").pathname));
  if (!place.startsWith(root) || !fs.existsSync(place) || fs.statSync(place).isDirectory()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "Content-Type": TYPES[path.extname(place)] || "application/octet-stream" });
  fs.createReadStream(place).pipe(response);
});

async function readPage(page, base, name, view) {
  const say = (text) => problems.push(`${name} (${view.name}): ${text}`);
  const listen = (message) => ["error", "warning"].includes(message.type()) && say(`console: ${message.text()}`);
  const fail = (error) => say(`script: ${error.message}`);
  page.on("console", listen).on("pageerror", fail);
  await page.goto(base + name, { waitUntil: "load" });
  await page.evaluate(() => window.MathJax?.startup?.promise);
  const seen = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    theme: document.documentElement.dataset.theme,
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
    images: [...document.querySelectorAll(".bd-article img")].map((i) => ({ src: i.src, alt: i.alt, there: i.naturalWidth > 0 })),
    formulas: document.querySelectorAll("mjx-container").length,
    failed: document.querySelectorAll("mjx-merror, [data-mml-node='merror']").length,
    left: [...document.querySelectorAll(".math")].filter((m) => !m.querySelector("mjx-container")).length,
  }));
  if (seen.wide > 0) say(`the page scrolls sideways by ${seen.wide} pixels`);
  if (seen.theme !== view.colorScheme) say(`theme is ${seen.theme}`);
  if (seen.failed || seen.left) say(`${seen.failed} formulas have errors, ${seen.left} are not set`);
  for (const image of seen.images) {
    if (!image.alt.trim()) say(`no alt text: ${image.src}`);
    if (!image.there) say(`not shown: ${image.src}`);
  }
  anchors.set(name, new Set(seen.ids));
  for (const address of seen.links) if (!links.has(address)) links.set(address, name);
  if (view === VIEWS[0]) [images, formulas] = [images + seen.images.length, formulas + seen.formulas];
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of found.violations) {
    const text = `axe ${violation.impact}: ${violation.id}, ${violation.nodes.length} times, first ${violation.nodes[0].html.slice(0, 160)}`;
    if (["serious", "critical"].includes(violation.impact)) say(`${text} ${violation.nodes[0].failureSummary.replace(/\s+/g, " ").slice(0, 220)}`);
    else minor[violation.id] = (minor[violation.id] || 0) + violation.nodes.length;
  }
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name.replaceAll("/", "_")}.${view.name}.png`) });
  page.off("console", listen).off("pageerror", fail);
}

function checkLinks(base) {
  for (const [address, from] of links) {
    const url = new URL(address);
    if (url.origin !== new URL(base).origin) continue; // other sites are not asked
    const name = decodeURIComponent(url.pathname.slice(1)) || "index.html";
    if (!fs.existsSync(path.join(root, name))) problems.push(`${from}: broken link ${address}`);
    else if (url.hash && anchors.has(name) && !anchors.get(name).has(decodeURIComponent(url.hash.slice(1)))) problems.push(`${from}: no such place ${address}`);
  }
}

async function search(page, base, word) {
  await page.goto(`${base}search.html?q=${word}`);
  await page.waitForSelector("#search-results ul.search li", { timeout: 20000 }).catch(() => problems.push(`search finds nothing for ${word}`));
  return page.evaluate(() => document.querySelectorAll("#search-results ul.search > li").length);
}

(async () => {
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const base = `http://127.0.0.1:${server.address().port}/`;
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  const names = pagesOf(root).sort();
  let hits = 0;
  for (const view of VIEWS) {
    const context = await browser.newContext({ viewport: { width: view.width, height: view.height }, colorScheme: view.colorScheme });
    context.setDefaultTimeout(120000);
    await context.route((url) => url.origin + "/" !== base && url.protocol !== "data:", (route) => {
      problems.push(`asks the network for ${route.request().url()}`);
      return route.abort();
    });
    const page = await context.newPage();
    page.on("response", (answer) => answer.status() >= 400 && problems.push(`${answer.status()} for ${answer.url()}`));
    for (const name of names) await readPage(page, base, name, view);
    if (view === VIEWS[0]) hits = await search(page, base, "attention");
    await context.close();
  }
  await browser.close();
  server.close();
  checkLinks(base);
  for (const problem of problems) console.log(problem);
  console.log(`${names.length} pages, ${links.size} links, ${images} images, ${formulas} formulas, ${hits} pages found for "attention"; ` +
    `less than serious for axe: ${JSON.stringify(minor)}; ${problems.length} problems`);
  process.exit(problems.length ? 1 : 0);
})();
