import { runShare } from '../shares.ts'

await runShare(10)
