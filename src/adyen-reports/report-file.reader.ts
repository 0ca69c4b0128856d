import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { hideCardNumbers } from '../card-number.ts'
import { ReportFault, type ReportPiece } from '../settlement/settlement.ts'
import { type Layout, readLayout, readLine } from './settlement-report.ts'

/** As many lines as go on at once: some hundred kB. */
const linesAtOnce = 500
/** A line that is longer lost its closing quote. */
const lineSizeMax = 256 * 1024

/**
 * Reads a report of Adyen's as a stream: memory does not grow with its length. Throws a
 * `ReportFault` where it can't be read to its end.
 */
export async function* readReportFile(
  content: AsyncIterable<Uint8Array>
): AsyncGenerator<ReportPiece> {
  const parser = parse({
    bom: true,
    max_record_size: lineSizeMax,
    skip_empty_lines: true,
    // Not what the first line ends with: that may be an empty one.
    record_delimiter: ['\r\n', '\n', '\r']
  })
  const source = Readable.from(content, { objectMode: false })
  source.once('error', (error) => parser.destroy(error))
  let layout: Layout | undefined
  let count = 0
  let lines: ReportPiece['lines'] = []
  try {
    for await (const cells of source.pipe(parser) as AsyncIterable<string[]>) {
      if (layout === undefined) {
        layout = readLayout(cells)
        continue
      }
      count += 1
      lines.push(readLine(layout, cells, count))
      if (lines.length === linesAtOnce) {
        yield { kind: layout.kind, lines }
        lines = []
      }
    }
  } catch (error) {
    if (error instanceof CsvError) {
      // What it says may hold a cell.
      const said = hideCardNumbers(error.message)
      throw new ReportFault(`The file is not CSV to its end: ${said}`)
    }
    throw error
  } finally {
    source.destroy()
  }
  if (layout === undefined) throw new ReportFault('The file is empty.')
  yield { kind: layout.kind, lines }
}
