// node browser.mjs ADDRESS SHOTS NAME...: opens each workflow of the pack from ComfyUI's template address and tells, as
// JSON a line, its nodes, the types the page does not know, and its errors; NAME! also runs it to its picture.
// With VUE=1 the page draws nodes its newer way. Run it where playwright-core is installed.
import { createRequire } from 'node:module';
import path from 'node:path';

const { chromium } = createRequire(path.join(process.cwd(), '/'))('playwright-core');
const [address, shots, ...names] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
const ready = () => window.app?.extensionManager && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100;
const fit = () => {
  const { canvas, graph } = window.app;
  const edges = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { pos, size } of graph._nodes) {
    edges[0] = Math.min(edges[0], pos[0]);
    edges[1] = Math.min(edges[1], pos[1] - 40);
    edges[2] = Math.max(edges[2], pos[0] + size[0]);
    edges[3] = Math.max(edges[3], pos[1] + size[1]);
  }
  const scale = Math.min(1350 / (edges[2] - edges[0]), 820 / (edges[3] - edges[1]), 1);
  canvas.ds.scale = scale;
  canvas.ds.offset[0] = 130 / scale - edges[0];
  canvas.ds.offset[1] = 110 / scale - edges[1];
  canvas.low_quality_zoom_threshold = 0;
  canvas.setDirty(true, true);
};

for (const word of names) {
  const name = word.replace('!', '');
  const errors = [];
  const note = (error) => errors.push(error.message.slice(0, 200));
  page.on('pageerror', note);
  await page.goto(`${address}/?template=${name}&source=fsgan`);
  await page.waitForFunction(ready, null, { timeout: 300000 });
  await page.waitForFunction(() => window.app.graph._nodes.some((node) => node.type.startsWith('FSGAN_')), null, { timeout: 120000 });
  if (process.env.VUE) await page.evaluate(() => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', true));
  await page.waitForTimeout(2000);
  await page.keyboard.press('Escape');
  let result = null;
  if (word.endsWith('!')) {
    await page.evaluate(() => {
      const api = window.comfyAPI?.api?.api ?? window.app.api;
      window.finished = null;
      for (const name of ['execution_success', 'execution_error']) api.addEventListener(name, () => (window.finished = name));
      return window.app.queuePrompt(0, 1);
    });
    await page.waitForFunction(() => window.finished, null, { timeout: 900000 });
    await page.waitForTimeout(3000);
    result = await page.evaluate(() => window.finished);
  }
  const told = await page.evaluate(() => ({
    nodes: window.app.graph._nodes.map((node) => node.type),
    unknown: window.app.graph._nodes.filter((node) => !window.LiteGraph.registered_node_types[node.type]).map((node) => node.type),
    pictures: window.app.graph._nodes.filter((node) => node.imgs?.length).map((node) => node.type),
  }));
  await page.evaluate(fit);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
  page.off('pageerror', note);
  process.stdout.write(JSON.stringify({ name, ...told, result, errors }) + '\n');
}
await browser.close();
