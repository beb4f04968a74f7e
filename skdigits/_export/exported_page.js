// Reads drawings on an exported page. `about` and `content` are the network that Python wrote into it.

for (const id of ["#upload", "#paste", "#camera"]) one(id).remove();
one("#privacy").textContent = "This page works offline; nothing leaves your device.";
const about = JSON.parse(one("#about").textContent);
const network = await Network.load(about, one("#content").textContent);
const answer = new Answer(about.labels);
const pad = new Pad(latestOnly(async () => {
  await new Promise((resolve) => setTimeout(resolve));
  const pixels = toMnistForm(pad.canvas);
  if (!pixels) return answer.show([], "Draw a digit.");
  const probabilities = network.predict(pixels);
  answer.show([{ label: about.labels[probabilities.indexOf(Math.max(...probabilities))], probabilities, pixels }]);
}));
answer.show([], "Draw a digit.");
// For other scripts.
globalThis.skdigits = { network, toMnistForm, pad };
