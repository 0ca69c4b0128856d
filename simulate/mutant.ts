/** Mutants of the service: each is a patch that removes one safeguard. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Mutant = {
  name: string
  file: string
  /** What it lacks, as its first line says. */
  without: string
  /** From which seed it is looked for, and in how many histories at most. */
  seed: number
  histories: number
}

const folder = join(import.meta.dirname, 'mutants')
const head = /^Without ([^.]+)\.\n(?:.*\n)*?Seed (\d+), (\d+) histories\.\n\ndiff /

/** All of them; throws where one does not begin with what it lacks, a seed and a number. */
export async function readMutants(): Promise<Mutant[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.patch')).sort()
  return await Promise.all(
    names.map(async (name) => {
      const file = join(folder, name)
      const [, without, seed, histories] = head.exec(await readFile(file, 'utf8')) ?? []
      if (without === undefined) throw new Error(`${name} does not say what it lacks`)
      const counts = { seed: Number(seed), histories: Number(histories) }
      return { name: name.slice(0, -'.patch'.length), file, without, ...counts }
    })
  )
}
