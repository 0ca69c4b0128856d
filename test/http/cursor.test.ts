import t from 'tap'
import { readCursor, toCursor } from '../../src/http/cursor.ts'
import { Problem } from '../../src/problem.ts'

t.test('a fault points to the parameter that the position was sent as', async (t) => {
  const pointerOf = (name?: 'cursor' | 'after') => {
    try {
      readCursor('x', /^\d{1,15}$/, name)
    } catch (error) {
      return error instanceof Problem ? error.errors?.[0]?.pointer : error
    }
    return undefined
  }
  t.equal(pointerOf(), '/cursor')
  t.equal(pointerOf('after'), '/after')
  t.equal(readCursor(toCursor('417'), /^\d{1,15}$/, 'after'), '417')
})
