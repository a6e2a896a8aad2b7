/**
 * Checks that relative links and anchors in the repository's Markdown files lead somewhere.
 * Absolute URLs are not fetched: a check must not depend on the network.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { root } from './tools/run.mjs'

const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
const files = tracked.split('\0').filter(file => file !== '' && existsSync(join(root, file)))
let links = 0
const broken = files.flatMap(file => linksOf(file).flatMap(link => problem(file, link) ?? []))

for (const line of broken) console.error(line)
console.log(`links: ${links} in ${files.length} files, ${broken.length} broken`)
process.exitCode = broken.length > 0 ? 1 : 0

/**
 * Inline links, images and reference definitions, outside code.
 *
 * @param {string} file
 */
function linksOf(file) {
  const text = withoutCode(readFileSync(join(root, file), 'utf8'))
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const definitions = [...text.matchAll(/^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm)]
  return [...inline, ...definitions].map(match => match[1])
}

/**
 * @param {string} file
 * @param {string} link
 */
function problem(file, link) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined
  links++
  const [path, anchor] = link.split('#')
  const target = path === '' ? join(root, file) : join(root, dirname(file), decodeURIComponent(path))
  if (relative(root, target).startsWith('..')) return `${file}: ${link} leads out of the repository`
  if (!existsSync(target)) return `${file}: ${link} does not exist`
  if (anchor && target.endsWith('.md') && !anchorsOf(target).has(anchor)) return `${file}: ${link} has no such heading`
  return undefined
}

/**
 * Anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered.
 *
 * @param {string} target
 */
function anchorsOf(target) {
  const text = withoutFences(readFileSync(target, 'utf8'))
  const seen = new Map()
  const anchors = new Set([...text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)].map(match => match[1]))
  for (const [, heading] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return anchors
}

/** @param {string} text */
function withoutCode(text) {
  return withoutFences(text).replace(/(`+)[^`\n](?:.*?[^`\n])?\1(?!`)/g, '')
}

/** @param {string} text */
function withoutFences(text) {
  return text.replace(/^( *)(`{3,}|~{3,})[\s\S]*?^ *\2[`~]*\s*$/gm, '')
}
