// Bundles what pages load into ../assets. The result is committed, so that go build needs no npm; its first line holds
// a hash of everything it was made from, which a test compares.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../assets";
const libraries = ["htmx.org", "uplot"];

const sources = ["build.mjs", "package.json", "package-lock.json", ...readdirSync("src").sort().map((name) => "src/" + name)];
const sum = createHash("sha256");
for (const name of sources) {
  sum.update(name + "\n");
  sum.update(readFileSync(name));
}
const banner = `/* Made by dashboard/frontend/build.mjs from ${sum.digest("hex")}: change it there and run make frontend. Licences: /assets/licences.txt */`;

await build({
  entryPoints: { app: "src/app.js", charts: "src/charts.js" },
  bundle: true,
  minify: true,
  target: ["es2022"],
  format: "iife",
  legalComments: "none",
  banner: { js: banner },
  outdir: out,
});
writeFileSync(`${out}/css/30-uplot.css`, banner + "\n" + readFileSync("node_modules/uplot/dist/uPlot.min.css", "utf8").trim() + "\n");

let licences = "What the pages of Kustiq load that others have written, and on which terms.\n";
for (const name of libraries) {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  licences += `\n${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`;
}
writeFileSync(`${out}/licences.txt`, licences);
