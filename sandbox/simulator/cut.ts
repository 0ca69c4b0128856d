import type { Socket } from 'node:net'

/**
 * Cuts a connection by a reset, as a network does that breaks. One whose end is already on the way
 * is just closed: Node (24.21) never frees what is reset then, and its process spins instead of
 * ending by itself.
 */
export function cut(socket: Socket | null): void {
  if (socket?.writableEnded) socket.destroy()
  else socket?.resetAndDestroy()
}
