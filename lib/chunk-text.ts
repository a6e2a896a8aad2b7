/**
 * The texts of a chunk's records for `JSON.parse`, cut out of those that the addon made of many records each.
 *
 * Making a string of 256 bytes costs 80 ns, most of it the call; cutting it out of a longer one costs 10. A cut keeps the
 * longer string alive, so nothing is cut out that somebody may keep: what `JSON.parse` returns holds no part of its source.
 */
export class ChunkText {
  /** Each has whole records, one after another. */
  readonly #texts: readonly string[]
  /** The one that was cut from last, and where in the payloads it starts and ends. */
  #at = -1
  #text = ''
  #start = 0
  #end = 0

  constructor(texts: readonly string[]) {
    this.#texts = texts
  }

  /** The text of the record from `start` to `end`: in ASCII a byte is a character. */
  of(start: number, end: number): string {
    if (start < this.#start || end > this.#end) this.#turnTo(start, end)
    return this.#text.slice(start - this.#start, end - this.#start)
  }

  /** The payloads as bytes, in memory of their own. */
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length)
    let end = 0
    for (const text of this.#texts) end += bytes.write(text, end, 'latin1')
    return bytes
  }

  /** From text to text, as a chunk is read from one end to the other. */
  #turnTo(start: number, end: number): void {
    while (start < this.#start) {
      this.#text = this.#texts[--this.#at]!
      this.#end = this.#start
      this.#start -= this.#text.length
    }
    while (end > this.#end) {
      this.#text = this.#texts[++this.#at]!
      this.#start = this.#end
      this.#end += this.#text.length
    }
  }
}
