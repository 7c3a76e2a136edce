const FIRST_BYTES = 4 * 1024

/**
 * A block with room for as much beyond what is filled, as far as the limit allows: the given one, or a
 * larger one with the same content. So what turns out small costs no large block.
 */
export function grownBlock(
  block: Buffer,
  filledBytes: number,
  wantedBytes: number,
  bytesMax: number,
): Buffer {
  const neededBytes = Math.min(filledBytes + wantedBytes, bytesMax)
  if (neededBytes <= block.byteLength) return block
  const grownBytes = Math.max(neededBytes, block.byteLength * 4, FIRST_BYTES)
  const grown = Buffer.allocUnsafeSlow(Math.min(grownBytes, bytesMax))
  block.copy(grown, 0, 0, filledBytes)
  return grown
}
