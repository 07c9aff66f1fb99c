import type { GreyImage } from './png.ts';

/** Pixels between two images, and around all of them. */
const GAP = 2;
/** Grey that tells images from each other. */
const PAPER = 96;

/**
 * Images of the same size side by side, row by row, on grey paper.
 *
 * @param images each `[side, side]`, 0 black to 255 white
 * @param columns images in a row
 */
export function layOut(images: readonly Uint8Array[], side: number, columns: number): GreyImage {
  const rows = Math.ceil(images.length / columns);
  const width = GAP + columns * (side + GAP);
  const height = GAP + rows * (side + GAP);
  const pixels = new Uint8Array(width * height).fill(PAPER);
  images.forEach((image, i) => {
    const left = GAP + (i % columns) * (side + GAP);
    const top = GAP + Math.floor(i / columns) * (side + GAP);
    for (let y = 0; y < side; y++) pixels.set(image.subarray(y * side, (y + 1) * side), (top + y) * width + left);
  });
  return { width, height, pixels };
}
