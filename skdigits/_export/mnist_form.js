// A drawing in MNIST's form, as skdigits/_pictures/mnist_form.py makes it: 28 × 28 pixels, white on black.
// Images are {values, width, height} with ink from 0 to 1.

const [SIDE, BOX, CENTRE] = [28, 20, 14.5];
// In pixels of the 28: strokes thinner than THIN grow to GROWN, strokes above BOLD shrink to SLIMMED.
const [THIN, GROWN, BOLD, SLIMMED] = [2.0, 2.4, 3.3, 3.0];
// Background left between strokes that grow, in pixels of the 28; they grow on a finer grid.
const [GAP, FINER] = [1.2, 4];
// The digit is reduced so that no side is longer, unless it fills less than the second number of pixels.
const [WORKING_SIDE, SMALL_DIGIT] = [160, 56];
// Darkness of the background's and of full ink.
const [NONE, FULL] = [0.2, 0.75];

const clip = (value, low, high) => Math.min(Math.max(value, low), high);

// 784 values from 0 to 255 of a drawing in black on white; null without any ink.
export function toMnistForm(canvas) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const darkness = { width, height, values: new Float64Array(width * height) };
  for (let i = 0; i < darkness.values.length; i++) darkness.values[i] = 1 - data[4 * i] / 255;
  let factor = Math.ceil(Math.max(width, height) / WORKING_SIDE);
  let amount = amountOf(reduced(darkness, factor));
  let box = boxOf(amount, 0);
  if (!box) return null;
  const size = Math.max(box.width, box.height);
  if (size < SMALL_DIGIT && factor > 1) {
    const margin = Math.floor(size / 2);
    const edge = (value, limit) => clip(value * factor, 0, limit);
    const [left, top] = [edge(box.left - margin, width), edge(box.top - margin, height)];
    const right = edge(box.left + box.width + margin, width);
    const bottom = edge(box.top + box.height + margin, height);
    const part = cropped(darkness, { left, top, width: right - left, height: bottom - top });
    factor = Math.ceil(Math.max(part.width, part.height) / WORKING_SIDE);
    amount = amountOf(reduced(part, factor));
  }
  box = boxOf(amount, 0.3);
  return box && toForm(cropped(amount, box));
}

function toForm(amount) {
  let scale = BOX / Math.max(amount.width, amount.height);
  const width = strokeWidth(amount) * scale;
  let placed;
  if (width > BOLD) {
    const loss = (width - SLIMMED) / 2;
    scale *= 1 + (2 * loss) / BOX;
    placed = reduced(thinned(place(amount, scale * FINER, SIDE * FINER), loss * FINER, 2 * FINER), FINER);
  } else if (width < THIN) {
    const growth = (GROWN - width) / 2;
    scale *= 1 - (2 * growth) / BOX;
    placed = reduced(thickened(place(amount, scale * FINER, SIDE * FINER), growth * FINER, GAP * FINER), FINER);
  } else {
    placed = place(amount, scale, SIDE);
  }
  const strongest = Math.max(...placed.values, 1e-6);
  return Array.from(placed.values, (value) => Math.round((value * 255) / strongest));
}

function amountOf({ values, ...size }) {
  return { ...size, values: values.map((value) => clip((value - NONE) / (FULL - NONE), 0, 1)) };
}

// Means over squares of pixels.
function reduced(image, factor) {
  const [width, height] = [Math.ceil(image.width / factor), Math.ceil(image.height / factor)];
  const [sums, counts] = [new Float64Array(width * height), new Float64Array(width * height)];
  for (let y = 0, i = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++, i++) {
      const target = Math.floor(y / factor) * width + Math.floor(x / factor);
      sums[target] += image.values[i];
      counts[target] += 1;
    }
  }
  return { width, height, values: sums.map((sum, i) => sum / counts[i]) };
}

// The smallest box around all values above a threshold.
function boxOf({ values, width }, threshold) {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  values.forEach((value, i) => {
    if (value <= threshold) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function cropped(image, { left, top, width, height }) {
  const at = (_, i) => image.values[(top + Math.floor(i / width)) * image.width + left + (i % width)];
  return { width, height, values: Float64Array.from({ length: width * height }, at) };
}

// Twice the area of the strokes over the length of their outline, which is the total variation.
function strokeWidth({ values, width, height }) {
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : values[y * width + x]);
  let [area, outline] = [0, 0];
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      area += at(x, y);
      outline += Math.hypot(at(x, y + 1) - at(x, y), at(x + 1, y) - at(x, y));
    }
  }
  return (2 * area) / Math.max(outline, 1e-6);
}

// The ink scaled onto a square, with its centre of mass in the middle of the square.
function place(image, scale, side) {
  const { values, width, height } = image;
  let [total, x, y] = [0, 0, 0];
  values.forEach((value, i) => {
    total += value;
    x += value * ((i % width) + 0.5);
    y += value * (Math.floor(i / width) + 0.5);
  });
  // All of the ink stays on the square.
  const start = (middle, length) => clip(length - side / scale, middle - (side * CENTRE) / SIDE / scale, Infinity);
  const columns = weights(Math.min(start(x / total, width), 0), scale, width, side);
  const rows = weights(Math.min(start(y / total, height), 0), scale, height, side);
  const result = new Float64Array(side * side);
  for (let j = 0; j < height; j++) {
    const line = columns.map((each) => each.reduce((sum, [i, weight]) => sum + weight * values[j * width + i], 0));
    rows.forEach((each, target) => {
      const weight = each.find(([i]) => i === j)?.[1] ?? 0;
      if (weight) line.forEach((value, i) => (result[target * side + i] += weight * value));
    });
  }
  return { width: side, height: side, values: result };
}

// For each target pixel the source pixels with their weights: a triangle as wide as the reduction.
function weights(start, scale, length, side) {
  const support = Math.max(1, 1 / scale);
  return Array.from({ length: side }, (_, target) => {
    const centre = start + (target + 0.5) / scale;
    const [first, last] = [Math.trunc(centre - support + 0.5 + side) - side, Math.trunc(centre + support + 0.5 + side) - side];
    const all = [];
    for (let i = first; i < last; i++) all.push([i, Math.max(0, 1 - Math.abs(i + 0.5 - centre) / support)]);
    const total = all.reduce((sum, [, weight]) => sum + weight, 0);
    return all.filter(([i]) => i >= 0 && i < length).map(([i, weight]) => [i, weight / total]);
  });
}

// Strokes grown on both sides, but only as far as a gap remains between them.
function thickened(image, growth, gap) {
  const distance = distances(image, (value) => value >= 0.5);
  const room = maximum(distance, Math.ceil(growth + gap / 2));
  const grown = (value, i) => {
    const limit = Math.min(growth, Math.max(room.values[i] - gap / 2, 0));
    return Math.max(value, clip(limit + 1 - distance.values[i], 0, 1));
  };
  return { ...image, values: image.values.map(grown) };
}

// Strokes that lose something on both sides, but keep a core.
function thinned(image, loss, core) {
  const depth = distances(image, (value) => value < 0.5);
  const half = maximum(depth, Math.ceil(loss + core / 2));
  const left = (value, i) => {
    const limit = Math.min(loss, Math.max(half.values[i] - core / 2, 0));
    return Math.min(value, clip(depth.values[i] - limit, 0, 1));
  };
  return { ...image, values: image.values.map(left) };
}

// Euclidean distance of each pixel to the nearest one that is in a set.
function distances({ values, width, height }, isIn) {
  const vertical = new Float64Array(values.length).fill(1e6);
  values.forEach((value, i) => {
    if (isIn(value)) vertical[i] = 0;
  });
  for (let i = width; i < values.length; i++) vertical[i] = Math.min(vertical[i], vertical[i - width] + 1);
  for (let i = values.length - width - 1; i >= 0; i--) vertical[i] = Math.min(vertical[i], vertical[i + width] + 1);
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const [x, row] = [i % width, i - (i % width)];
    let nearest = Infinity;
    for (let j = 0; j < width; j++) nearest = Math.min(nearest, (x - j) ** 2 + vertical[row + j] ** 2);
    result[i] = Math.sqrt(nearest);
  }
  return { width, height, values: result };
}

// The maximum over a square of 2 · radius + 1 pixels around each pixel.
function maximum(image, radius) {
  let { values } = image;
  const { width } = image;
  for (const [step, length] of [[1, width], [width, image.height]]) {
    values = values.map((_, i) => {
      const position = Math.floor(i / step) % length;
      let largest = -Infinity;
      for (let j = Math.max(position - radius, 0); j <= Math.min(position + radius, length - 1); j++) {
        largest = Math.max(largest, values[i + (j - position) * step]);
      }
      return largest;
    });
  }
  return { ...image, values };
}
