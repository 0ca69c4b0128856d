/** Reads variables of the environment and gathers what is wrong with them. */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isLoopback } from '../clients/client.ts'

export type Env = Readonly<Record<string, string | undefined>>

export type Reader = ReturnType<typeof createReader>

/** Reads variables and gathers their faults; an empty text counts as not set. */
export function createReader(env: Env) {
  const faults: string[] = []
  const fault = (text: string) => {
    faults.push(text)
  }
  const text = (name: string) => env[name]?.trim() || undefined
  return {
    faults: faults as readonly string[],
    fault,
    text,
    required(name: string): string {
      const value = text(name)
      if (value === undefined) fault(`${name} is required`)
      return value ?? ''
    },
    oneOf(name: string, values: readonly string[], required = false): string | undefined {
      const value = text(name)
      if (value === undefined && required) fault(`${name} is required: ${values.join(' or ')}`)
      if (value !== undefined && !values.includes(value)) {
        fault(`${name} must be one of ${values.join(', ')}`)
      }
      return value
    },
    /** `true` or `false`; false where it is not set. */
    flag(name: string): boolean {
      const value = text(name) ?? 'false'
      if (value !== 'true' && value !== 'false') fault(`${name} must be true or false`)
      return value === 'true'
    },
    /** `otherwise` where it is not set. */
    integer<Otherwise extends number | null>(
      name: string,
      otherwise: Otherwise,
      min: number,
      max: number
    ): number | Otherwise {
      const value = text(name)
      if (value === undefined) return otherwise
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
      if (number >= min && number <= max) return number
      fault(`${name} must be an integer from ${min} to ${max}`)
      return otherwise
    }
  }
}

/** Something that others are told, or trusted: nothing of it may be read or changed on its way. */
export function checkUrl(reader: Reader, name: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'https:'
  const live = reader.text('ADYEN_ENVIRONMENT') === 'LIVE'
  const local = !live && url?.protocol === 'http:' && isLoopback(url.hostname)
  if (!secure && !local) {
    reader.fault(`${name} must be https (with ADYEN_ENVIRONMENT=TEST also http to loopback)`)
  }
  if (url !== undefined && (url.search || url.hash || url.username || url.password)) {
    reader.fault(`${name} must have no query, fragment or user information`)
  }
}

const hexKey = /^[0-9a-fA-F]{64}$/

/**
 * A comma-separated list, for rotation. Node decodes hexadecimal up to the first wrong digit
 * without a word, so that a slip would leave a key that anybody can guess.
 */
export function readHexKeys(reader: Reader, name: string, text: string): Buffer[] {
  if (text === '') return []
  const keys = text.split(',').map((key) => key.trim())
  const wrong = keys.flatMap((key, place) => (hexKey.test(key) ? [] : [place + 1]))
  if (wrong.length > 0) {
    reader.fault(`${name}: key ${wrong.join(', ')} is not 64 hexadecimal digits`)
  }
  return keys.map((key) => Buffer.from(key, 'hex'))
}

export function readPorts(reader: Reader, name: string): number[] | undefined {
  const ports = reader.text(name)?.split(',').map(Number)
  if (ports?.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    reader.fault(`${name} must be ports with commas, such as 443,8443`)
  }
  return ports
}

export function readOrigin(reader: Reader, name: string): string | undefined {
  const text = reader.text(name)
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search) {
    reader.fault(`${name} must be an origin without a path, such as http://127.0.0.1:9999`)
    return undefined
  }
  return url.origin
}

/** Addresses, and networks such as 10.0.0.0/8, with commas. */
export function readNetworks(reader: Reader, name: string): string[] {
  const all =
    reader
      .text(name)
      ?.split(',')
      .map((one) => one.trim()) ?? []
  const wrong = all.filter((one) => isIP(one) === 0 && !ipaddr.isValidCIDR(one))
  if (wrong.length > 0) reader.fault(`${name}: ${wrong.join(', ')} is no address and no network`)
  return all
}
