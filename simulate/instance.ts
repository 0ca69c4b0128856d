/**
 * An instance of the service, as `npm start` runs it, in a process whose clock can be set: it
 * believes to be as many ms off as its parent says, from the moment that it is told.
 */
let offMs = 0
const Real = Date

globalThis.Date = class extends Real {
  constructor(...of: [] | [string | number | Date]) {
    if (of.length === 0) super(Real.now() + offMs)
    else super(...of)
  }
  static override now(): number {
    return Real.now() + offMs
  }
} as DateConstructor

process.on('message', ({ clockMs }: { clockMs: number }) => {
  offMs = clockMs
})
process.on('disconnect', () => process.exit(1))
await import('../src/main.ts')
