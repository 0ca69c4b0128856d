/** How a command reads its arguments: all that is wrong with them is told at once. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** What the user is told; the program then ends with `exitCode`, which is 2 for its usage. */
export class CommandFault extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The faults of arguments, a line for each, and how the command is used. */
export function usageFault(faults: readonly string[], usage: string): CommandFault {
  return new CommandFault([...faults, '', usage].join('\n'), 2)
}

/** Whether the arguments ask for nothing but help. */
export function asksForHelp(args: readonly string[]): boolean {
  return args[0] === 'help' || args.includes('--help') || args.includes('-h')
}

/**
 * Options and positional arguments; throws where an option is not known, lacks its value, has one
 * that it does not take, or is there twice, and where an argument is none of `positionalsMax`.
 */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  positionalsMax: number,
  usage: string
) {
  const config = { args: [...args], options, allowPositionals: true } as const
  const { tokens, positionals } = parseArgs({ ...config, strict: false, tokens: true })
  const faults = positionals.slice(positionalsMax).map((one) => `${one} is not understood`)
  const met = new Set<string>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const known = Object.hasOwn(options, name) ? options[name] : undefined
    const lacksValue = value === undefined || value === '' || (!inlineValue && /^-/.test(value))
    if (known === undefined) faults.push(`${rawName} is no option`)
    else if (known.type === 'string' && lacksValue) faults.push(`${rawName} needs a value`)
    else if (known.type === 'boolean' && value !== undefined)
      faults.push(`${rawName} takes no value`)
    else if (met.has(name) && !known.multiple) faults.push(`${rawName} is given twice`)
    met.add(name)
  }
  if (faults.length > 0) throw usageFault(faults, usage)
  return parseArgs(config)
}
