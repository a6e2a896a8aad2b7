// In every supported runtime, and not yet in the `lib` that we compile with.
interface String {
  isWellFormed(): boolean
}
