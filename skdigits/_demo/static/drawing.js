// The drawing pad and the view of an answer, for the page of `skdigits draw` and for exported pages.

// Stroke width as a share of the pad's side: MNIST's where a digit fills two thirds of the side.
const THICKNESS = 0.065;
// An answer of a lower probability is marked as not sure.
const SURE = 0.5;

export const one = (selector) => document.querySelector(selector);

// Draws strokes, or shows a picture ({file, image or null}). Calls `changed` after each change.
export class Pad {
  strokes = [];
  current = null;
  picture = null;

  constructor(changed) {
    this.changed = changed;
    this.canvas = one("#pad canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.extend(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => (this.current = null));
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.undo();
      else if (event.key === "Delete" || event.key === "Backspace") this.change([]);
    });
    one("#undo").addEventListener("click", () => this.undo());
    one("#clear").addEventListener("click", () => this.change([]));
    this.paint();
  }

  undo() {
    this.change(this.picture ? this.strokes : this.strokes.slice(0, -1));
  }

  change(strokes, picture = null) {
    Object.assign(this, { strokes, picture, current: null });
    this.paint();
    this.changed();
  }

  begin(event) {
    if (!event.isPrimary || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const stroke = [this.point(event)];
    this.change(this.picture ? [stroke] : [...this.strokes, stroke]);
    this.current = stroke;
  }

  extend(event) {
    if (!this.current || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.current.push(...(events.length ? events : [event]).map((each) => this.point(each)));
    this.paint();
    this.changed();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  paint() {
    const { width } = this.canvas;
    this.context.fillStyle = "white";
    this.context.fillRect(0, 0, width, width);
    Object.assign(this.context, { fillStyle: "black", lineWidth: THICKNESS * width, lineCap: "round", lineJoin: "round" });
    if (this.picture) this.paintPicture(this.picture, width);
    else this.strokes.forEach((points) => this.paintStroke(points));
    one("#undo").disabled = one("#clear").disabled = this.empty = !this.picture && this.strokes.length === 0;
  }

  paintPicture({ file, image }, side) {
    Object.assign(this.context, { font: "28px system-ui, sans-serif", textAlign: "center" });
    if (!image) return this.context.fillText(file.name ?? "", side / 2, side / 2, side - 40);
    const scale = side / Math.max(image.width, image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    this.context.drawImage(image, (side - width) / 2, (side - height) / 2, width, height);
  }

  // A curve through the middles of neighbouring points has no corners.
  paintStroke(points) {
    this.context.beginPath();
    this.context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      this.context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    this.context.lineTo(...points.at(-1));
    this.context.stroke();
  }
}

// Shows digits, the pixels that the network sees and a bar for each class.
export class Answer {
  constructor(labels) {
    this.bars = labels.map((label) => {
      const row = one("#answer .bars").appendChild(document.createElement("li"));
      row.innerHTML = '<span class="name"></span><div class="track"><div class="bar"></div></div><span class="value"></span>';
      row.firstChild.textContent = label;
      return row;
    });
  }

  // digits: [{label, probabilities, pixels}], several for a number; message: why there are none.
  show(digits, message = "") {
    const seen = one("#answer .seen");
    seen.style.setProperty("--columns", Math.ceil(Math.sqrt(digits.length)) || 1);
    seen.replaceChildren(...digits.map((digit, i) => this.pixels(digit, () => this.select(digits, i))));
    one("#answer .digits").style.setProperty("--length", digits.length || 1);
    one("#answer .digits").textContent = digits.map((digit) => digit.label).join("");
    one("#answer .message").textContent = message;
    const certainty = digits.map((digit) => Math.max(...digit.probabilities));
    this.select(digits, certainty.indexOf(Math.min(...certainty)));
  }

  pixels({ label, pixels }, select) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28, title: label });
    const colours = pixels.flatMap((value) => [value, value, value, 255]);
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(colours), 28), 0, 0);
    canvas.addEventListener("click", select);
    return canvas;
  }

  // Shows the probabilities of one of the digits.
  select(digits, index) {
    const digit = digits[index];
    const best = digit && Math.max(...digit.probabilities);
    this.bars.forEach((row, i) => {
      const probability = digit?.probabilities[i] ?? 0;
      row.className = probability === best ? "best" : "";
      row.querySelector(".bar").style.width = `${100 * probability}%`;
      row.lastChild.textContent = digit ? percent(probability) : "";
    });
    if (!digit) return;
    [...one("#answer .seen").children].forEach((canvas, i) => canvas.classList.toggle("selected", i === index));
    const place = digits.length > 1 ? `Digit ${index + 1} of ${digits.length}: ${digit.label}, ` : "";
    one("#answer .message").textContent = place + percent(best) + (best < SURE ? ", not sure" : "");
  }
}

// Only 0 and 1 are shown as 0 % and 100 %.
function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return share < 1 && share >= 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

// A function that runs `task` now or, while it runs, once more afterwards.
export function latestOnly(task) {
  let [running, again] = [false, false];
  return async () => {
    again = true;
    if (running) return;
    for (running = true; again; await task()) again = false;
    running = false;
  };
}
