/** Which traces are kept, as OpenTelemetry names it for every SDK. */
export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio'
] as const
export type SamplerName = (typeof samplerNames)[number]

export type TracingConfig = {
  /** Where spans are sent, by OTLP over HTTP. */
  url: string
  sampler: SamplerName
  /** The part of traces that is kept, where the sampler asks for one: 0 to 1. */
  ratio: number
}
