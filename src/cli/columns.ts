/**
 * Rows as lines of text. Long values, such as declared streams, push their row out rather than all
 * others.
 */
export function columns(rows: readonly (readonly string[])[]): string {
  const widthMax = 40
  return rows
    .map((row) =>
      row
        .map((cell, index) => {
          const widths = rows.map((other) => other[index]?.length ?? 0)
          const width = Math.max(...widths.filter((length) => length <= widthMax), 0)
          return index === row.length - 1 ? cell : cell.padEnd(width)
        })
        .join('  '),
    )
    .join('\n')
}
