/** How late the event loop is: what a request waits when it arrives. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION = 1 // milliseconds between looks; the histogram counts them too, so they are taken off

/** Looks until the returned function is called, which gives the 99th percentile in milliseconds. */
export function watchDelay() {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  return () => {
    histogram.disable()
    return Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION)
  }
}
