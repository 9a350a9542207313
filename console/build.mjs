// Writes app/console/, or the folder that is named: what the service serves and the repository holds, so that nobody
// needs Node.js to run it. manifest.json says what was built of what; tests hold both against it.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const HERE = import.meta.dirname;
const TARGET = resolve(HERE, process.argv[2] ?? "../app/console");

/** name → SHA-256 of each file. */
async function digests(folder, names) {
  const read = async (name) => [name, createHash("sha256").update(await readFile(join(folder, name))).digest("hex")];
  return Object.fromEntries(await Promise.all(names.sort().map(read)));
}

const inside = await readdir(join(HERE, "src"), { recursive: true, withFileTypes: true });
const sources = inside.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(HERE.length + 1));
const code = (await Promise.all(sources.map((name) => readFile(join(HERE, name), "utf8")))).join("\n");

/** The client's table of operations without those that the page never calls, so that these may change without it. */
const calledAlone = {
  name: "called-alone",
  setup: ({ onLoad }) =>
    onLoad({ filter: /generated\/operations\.ts$/ }, async ({ path }) => {
      const table = JSON.parse((await readFile(path, "utf8")).replace(/^export const OPERATIONS = |as const;\s*$/g, ""));
      const called = Object.entries(table).filter(([name]) => code.includes(`cv.${name}(`));
      return { loader: "ts", contents: `export const OPERATIONS = ${JSON.stringify(Object.fromEntries(called))} as const;` };
    }),
};

await rm(TARGET, { recursive: true, force: true });
await mkdir(TARGET, { recursive: true });
const usual = {
  absWorkingDir: HERE,
  outdir: TARGET,
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none", // licences.txt has them whole
};
const { metafile } = await build({
  ...usual,
  entryPoints: ["src/main.tsx", "src/app.css"],
  banner: { js: "/* Licences of what is bundled here: licences.txt */" },
  metafile: true,
  plugins: [calledAlone],
});
for (const name of ["index.html", "icon.svg"]) await cp(join(HERE, "src", name), join(TARGET, name));
const page = await digests(TARGET, await readdir(TARGET));
await build({
  ...usual,
  entryPoints: ["src/worker.ts"],
  define: {
    RELEASE: JSON.stringify(createHash("sha256").update(JSON.stringify(page)).digest("hex").slice(0, 16)),
    FILES: JSON.stringify(["/console", ...Object.keys(page).filter((name) => name !== "index.html").map((name) => `/console/${name}`)]),
  },
});
const folders = Object.keys(metafile.inputs).map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(path)?.[0]);
const licences = [...new Set(folders.filter(Boolean))].sort().map(async (folder) => {
  const { name, version } = JSON.parse(await readFile(join(HERE, folder, "package.json"), "utf8"));
  return `${name} ${version}\n\n${await readFile(join(HERE, folder, "LICENSE"), "utf8")}`;
});
await writeFile(join(TARGET, "licences.txt"), (await Promise.all(licences)).join("\n----\n\n"));
const manifest = {
  files: await digests(TARGET, await readdir(TARGET)),
  sources: await digests(HERE, [...sources, "build.mjs", "package-lock.json", "tsconfig.json"]),
};
await writeFile(join(TARGET, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
