// Sends drawings and pictures to the server of `skdigits draw`.
import { Answer, Pad, latestOnly, one } from "./drawing.js";

const HINT = "Draw a digit or a number.";
const video = one("video");
const answer = new Answer(await (await fetch("labels")).json());
const read = latestOnly(async () => {
  if (pad.empty) return answer.show([], HINT);
  const body = pad.picture?.file ?? (await new Promise((resolve) => pad.canvas.toBlob(resolve)));
  const type = body.type.startsWith("image/") ? body.type : "application/octet-stream";
  const { digits = [], error } = await fetch("read", { method: "POST", body, headers: { "Content-Type": type } })
    .then((response) => response.json())
    .catch(() => ({ error: "No answer. Is skdigits draw still running?" }));
  if (!pad.empty) answer.show(digits, error);
});
const pad = new Pad(() => {
  stopCamera();
  read();
});

async function show(file) {
  if (file) pad.change(pad.strokes, { file, image: await createImageBitmap(file).catch(() => null) });
}

async function paste() {
  const items = await navigator.clipboard.read().catch(() => []);
  const type = items[0]?.types.find((each) => each.startsWith("image/"));
  if (type) show(await items[0].getType(type));
  else answer.show([], "The clipboard holds no picture, or the browser does not allow it: press Ctrl+V.");
}

// Live video where the browser allows it (localhost, HTTPS), else a phone's own camera application.
async function startCamera() {
  if (!navigator.mediaDevices) return one("#capture").click();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
    video.hidden = one("#clear").disabled = false;
    one("#camera").textContent = "Take it";
    answer.show([], "Point the camera at a digit and press “Take it”.");
  } catch (error) {
    answer.show([], `No camera: ${error.message}.`);
  }
}

function stopCamera() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  video.hidden = true;
  one("#camera").textContent = "Camera";
}

// The middle square of the video, which is the part that the pad shows.
async function takePicture() {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d").drawImage(video, (side - video.videoWidth) / 2, (side - video.videoHeight) / 2);
  show(await canvas.convertToBlob());
}

for (const input of [one("#file"), one("#capture")]) {
  input.addEventListener("change", () => show(input.files[0]).then(() => (input.value = "")));
}
one("#upload").addEventListener("click", () => one("#file").click());
one("#camera").addEventListener("click", () => (video.srcObject ? takePicture() : startCamera()));
one("#paste").addEventListener("click", paste);
one("#paste").hidden = !navigator.clipboard?.read;
document.addEventListener("paste", (event) => show(event.clipboardData.files[0]));
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
document.addEventListener("drop", (event) => show(event.dataTransfer.files[0]));
const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
if (!local) one("#privacy").textContent = `Pictures go to ${location.hostname} only.`;
answer.show([], HINT);
