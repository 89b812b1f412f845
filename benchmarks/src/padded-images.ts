import type { Split } from "@milliner/continual";

const [side, padded, channels, margin] = [28, 32, 3, 2];

/** Images of 28 x 28 pixels as those of 32 x 32 in three channels: how HAT AlexNet is shown digits. */
export function paddedImages(split: Split): Split {
  let digits = new Float32Array(0);
  return {
    size: split.size,
    shape: [padded, padded, channels],
    labels: split.labels,
    read(indices, into) {
      const pixels = side * side;
      if (digits.length < indices.length * pixels) digits = new Float32Array(indices.length * pixels);
      split.read(indices, digits.subarray(0, indices.length * pixels));
      into.fill(0);
      for (let image = 0; image < indices.length; image++) {
        for (let i = 0; i < pixels; i++) {
          const [row, column] = [Math.floor(i / side) + margin, (i % side) + margin];
          const at = ((image * padded + row) * padded + column) * channels;
          into.fill(digits[image * pixels + i]!, at, at + channels);
        }
      }
    },
  };
}
