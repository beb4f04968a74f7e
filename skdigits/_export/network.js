// The forward pass of a dense network with weights of 8 bits, as skdigits/_network.py computes it.

const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

// Abramowitz and Stegun, formula 7.1.26: the error is below 1.5e-7.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const ACTIVATIONS = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => Math.max(x, 0.2 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => SELU.scale * (x > 0 ? x : SELU.alpha * Math.expm1(x)),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  silu: (x) => x * sigmoid(x),
  swish: (x) => x * sigmoid(x),
  tanh: Math.tanh,
  sigmoid,
  logistic: sigmoid,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  linear: (x) => x,
  identity: (x) => x,
};

export class Network {
  // content: base64 of the deflated steps and biases of each layer (float32), then all levels (int8).
  static async load({ widths, activation, blur }, content) {
    const deflated = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = await new Response(stream).arrayBuffer();
    let offset = 0;
    const next = (kind, length) => {
      const array = new kind(bytes, offset, length);
      offset += array.byteLength;
      return array;
    };
    const layers = widths.slice(1).map((n) => ({ steps: next(Float32Array, n), bias: next(Float32Array, n) }));
    layers.forEach((layer, i) => (layer.levels = next(Int8Array, widths[i] * widths[i + 1])));
    return Object.assign(new Network(), { layers, blur, activate: ACTIVATIONS[activation] });
  }

  // Probabilities of the classes for 784 pixels from 0 to 255.
  predict(pixels) {
    let h = blurred(Float64Array.from(pixels, (value) => value / 255), this.blur);
    this.layers.forEach((layer, i) => {
      h = affine(h, layer);
      if (i < this.layers.length - 1) h = h.map(this.activate);
    });
    const largest = Math.max(...h);
    const exponentials = Array.from(h, (logit) => Math.exp(logit - largest));
    const total = exponentials.reduce((sum, value) => sum + value, 0);
    return exponentials.map((value) => value / total);
  }
}

function affine(input, { levels, steps, bias }) {
  const output = new Float64Array(bias.length);
  for (let i = 0, start = 0; i < input.length; i++, start += output.length) {
    if (input[i] === 0) continue;
    for (let j = 0; j < output.length; j++) output[j] += input[i] * levels[start + j];
  }
  return output.map((sum, j) => sum * steps[j] + bias[j]);
}

// Each pixel gives a share to each of its neighbours, along one axis and then along the other.
function blurred(image, share) {
  if (!share) return image;
  const side = Math.sqrt(image.length);
  for (const step of [1, side]) {
    image = image.map((value, i) => {
      const place = Math.floor(i / step) % side;
      const before = image[place > 0 ? i - step : i];
      const after = image[place < side - 1 ? i + step : i];
      return (1 - 2 * share) * value + share * (before + after);
    });
  }
  return image;
}
