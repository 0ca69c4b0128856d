/**
 * True stories of one payment: what a provider can report of it. Each event is true, and none
 * depends on what we do about another; so every order of them must end alike.
 */
import { automaticStories } from './automatic-stories.ts'
import { rareStories } from './rare-stories.ts'
import { manualStories, refundStories } from './requested-stories.ts'
import type { Story } from './story.ts'

export const stories: readonly Story[] = [
  ...automaticStories,
  ...manualStories,
  ...refundStories,
  ...rareStories
]
