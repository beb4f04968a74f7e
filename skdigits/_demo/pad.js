// Runs once when the paper is on the page; `element`, `props` and `trigger` are Gradio's.
const canvas = element.querySelector("canvas");
const undo = element.querySelector(".undo");
const clear = element.querySelector(".clear");
const context = canvas.getContext("2d");

// Of the paper's side. As thick as in MNIST, where a digit fills two thirds of the paper.
const THICKNESS = 0.065;
// Milliseconds between two readings while a stroke is drawn.
const PAUSE = 120;

let strokes = [];
let current = null;
let timer = null;

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) / box.width) * canvas.width,
    ((event.clientY - box.top) / box.height) * canvas.height,
  ];
}

function paintStroke(points) {
  context.beginPath();
  context.moveTo(...points[0]);
  // A curve through the middles of neighbouring points, so that it has no corners.
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i];
    const [nextX, nextY] = points[i + 1];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  context.lineTo(...points[points.length - 1]);
  context.stroke();
}

function paint() {
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = "black";
  context.lineWidth = THICKNESS * canvas.width;
  context.lineCap = context.lineJoin = "round";
  strokes.forEach(paintStroke);
  undo.disabled = clear.disabled = strokes.length === 0;
}

function send() {
  clearTimeout(timer);
  timer = null;
  props.value = strokes.length ? canvas.toDataURL("image/png") : "";
  trigger("input");
}

function sendSoon() {
  timer ??= setTimeout(send, PAUSE);
}

function begin(event) {
  if (!event.isPrimary || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  current = [place(event)];
  strokes.push(current);
  paint();
}

function go(event) {
  if (!current || !event.isPrimary) return;
  const events = event.getCoalescedEvents?.() ?? [];
  current.push(...(events.length ? events : [event]).map(place));
  paint();
  sendSoon();
}

function end(event) {
  if (!current || !event.isPrimary) return;
  current = null;
  send();
}

function change(left) {
  current = null;
  strokes = left;
  paint();
  send();
}

canvas.addEventListener("pointerdown", begin);
canvas.addEventListener("pointermove", go);
canvas.addEventListener("pointerup", end);
canvas.addEventListener("pointercancel", end);
canvas.addEventListener("keydown", (event) => {
  const taken = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
  const wiped = event.key === "Delete" || event.key === "Backspace";
  if (!strokes.length || !(taken || wiped)) return;
  event.preventDefault();
  change(taken ? strokes.slice(0, -1) : []);
});
undo.addEventListener("click", () => change(strokes.slice(0, -1)));
clear.addEventListener("click", () => change([]));
paint();
