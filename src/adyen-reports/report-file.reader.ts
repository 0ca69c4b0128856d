import { promises } from 'node:stream'
import { CsvError, type Parser, parse } from 'csv-parse'
import { hideCardNumbers } from '../card-number.ts'
import { ReportFault, type ReportPiece } from '../settlement/settlement.ts'
import { type Layout, readLayout, readLine } from './settlement-report.ts'

/** As much as is read at once, in some ms; then others have their turn. Bytes. */
const sliceSize = 64 * 1024
/** A line that is longer lost its closing quote. */
const lineSizeMax = 256 * 1024

/**
 * Reads a report of Adyen's as a stream: memory does not grow with its length. Throws a
 * `ReportFault` where it can't be read to its end.
 */
export async function* readReportFile(
  content: AsyncIterable<Uint8Array>
): AsyncGenerator<ReportPiece> {
  let layout: Layout | undefined
  let count = 0
  let lines: ReportPiece['lines'] = []
  const parser = parse({
    bom: true,
    max_record_size: lineSizeMax,
    skip_empty_lines: true,
    // Not what the first line ends with: that may be an empty one.
    record_delimiter: ['\r\n', '\n', '\r'],
    on_record(cells: string[]) {
      if (layout === undefined) layout = readLayout(cells)
      else {
        count += 1
        lines.push(readLine(layout, cells, count))
      }
      // Nothing goes on from here: each is read where it is found.
      return null
    }
  })
  // Whoever writes is told as well.
  parser.on('error', () => {}).resume()
  const take = (): ReportPiece => {
    const piece = { kind: (layout as Layout).kind, lines }
    lines = []
    return piece
  }
  try {
    for await (const part of content) {
      for (let from = 0; from < part.length; from += sliceSize) {
        await write(parser, part.subarray(from, from + sliceSize))
        if (lines.length > 0) yield take()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    parser.end()
    await promises.finished(parser)
  } catch (error) {
    if (error instanceof CsvError) {
      // What it says may hold a cell.
      const said = hideCardNumbers(error.message)
      throw new ReportFault(`The file is not CSV to its end: ${said}`)
    }
    throw error
  } finally {
    parser.destroy()
  }
  if (layout === undefined) throw new ReportFault('The file is empty.')
  yield take()
}

/** Hands a part of the file to the parser, which has read it by the end. */
function write(parser: Parser, part: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.write(part, (error) => (error ? reject(error) : resolve()))
  })
}
