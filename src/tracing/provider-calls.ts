import type { Provider, Trace } from '../provider.ts'
import { currentSpan, traced } from './span.ts'

/** What of a provider is no call. */
const told: ReadonlySet<string> = new Set([
  'canExpress',
  'pauseMs',
  'isTrialDue',
  'takeRecovered',
  'close'
])

type Call = (...request: unknown[]) => Promise<unknown>

/** The same provider, each call of which is a span where something is traced. */
export function traceCalls<Traced extends Provider>(provider: Traced): Traced {
  const members = Object.entries(provider).map(([name, member]) => {
    if (told.has(name) || typeof member !== 'function') return [name, member]
    const call = member as Call
    return [
      name,
      (...request: unknown[]) =>
        traced(`${provider.name} ${name}`, { paymentId: paymentOf(request) }, () =>
          call(...request.map(withSpan))
        )
    ]
  })
  return Object.fromEntries(members) as Traced
}

function paymentOf([first, , third]: readonly unknown[]): string | undefined {
  if (typeof third === 'string') return third
  return (first as { paymentId?: string } | undefined)?.paymentId
}

/** A caller's own trace goes on to the provider; our traces are not its business. */
function withSpan(argument: unknown): unknown {
  const { traceparent } = (argument ?? {}) as Trace
  const context = currentSpan()?.context
  if (traceparent === undefined || context === undefined) return argument
  const { traceId, spanId, traceFlags } = context
  return { ...(argument as Trace), traceparent: `00-${traceId}-${spanId}-0${traceFlags}` }
}
