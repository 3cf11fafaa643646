/**
 * Shares commits: what callers ask for while a commit is under way goes into the next one together. A commit waits for
 * the disk (2 to 4 ms), so this is the difference between some hundred and many thousand writes a second.
 */
export interface GroupCommit<In, Out> {
  /** Resolves when the transaction with `item` has committed; rejects when it, and it alone, could not. */
  readonly add: (item: In) => Promise<Out>
}

interface Waiting<In, Out> {
  readonly item: In
  readonly answer: PromiseWithResolvers<Out>
}

interface GroupRules<In, Out> {
  /** One transaction for all items; the results are in the order of the items. All or nothing. */
  readonly commit: (items: readonly In[]) => Promise<readonly Out[]>
  /** The most that one group may weigh; what is heavier goes alone. */
  readonly maxWeight: number
  readonly weigh: (item: In) => number
  /** Items with the same key never share a group, and commit in the order in which they came. */
  readonly keyOf?: (item: In) => string | null
  /** True: the fault is nobody's item, such as a database that is away. Everybody is told, nothing is tried again. */
  readonly concernsAll?: (error: unknown) => boolean
  /** How long the item, where it is the first of a group, waits for company; 0: whoever waits goes with it, ms. */
  readonly lingerMs: (item: In) => number
}

/**
 * A group that fails is tried again in halves, so that each caller gets the answer to what it asked itself: one bad
 * item neither fails nor delays the others for good.
 */
export function createGroupCommit<In, Out>(rules: GroupRules<In, Out>): GroupCommit<In, Out> {
  let queue: Waiting<In, Out>[] = []
  let running = false
  /** Ends the wait for company. */
  let hurry: (() => void) | null = null

  function takeGroup(): Waiting<In, Out>[] {
    const group: Waiting<In, Out>[] = []
    const rest: Waiting<In, Out>[] = []
    const keys = new Set<string>()
    let weight = 0
    for (const waiting of queue) {
      const key = rules.keyOf?.(waiting.item) ?? null
      const heavier = weight + rules.weigh(waiting.item)
      const fits = group.length === 0 || heavier <= rules.maxWeight
      const free = key === null || !keys.has(key)
      if (key !== null) keys.add(key)
      if (fits && free) {
        group.push(waiting)
        weight = heavier
      } else rest.push(waiting)
    }
    queue = rest
    return group
  }

  async function commitGroup(group: readonly Waiting<In, Out>[]): Promise<void> {
    try {
      const results = await rules.commit(group.map((waiting) => waiting.item))
      group.forEach((waiting, i) => {
        waiting.answer.resolve(results[i] as Out)
      })
    } catch (error) {
      await failGroup(group, error)
    }
  }

  async function failGroup(group: readonly Waiting<In, Out>[], error: unknown): Promise<void> {
    if (group.length === 1 || rules.concernsAll?.(error) === true) {
      for (const waiting of group) waiting.answer.reject(error)
    } else {
      const half = Math.ceil(group.length / 2)
      await commitGroup(group.slice(0, half))
      await commitGroup(group.slice(half))
    }
  }

  async function linger(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    hurry = null
  }

  async function run(ms: number): Promise<void> {
    running = true
    if (ms > 0) await linger(ms)
    while (queue.length > 0) await commitGroup(takeGroup())
    running = false
  }

  return {
    async add(item) {
      const answer = Promise.withResolvers<Out>()
      queue.push({ item, answer })
      const ms = rules.lingerMs(item)
      if (!running) void run(ms)
      else if (ms === 0) hurry?.()
      return await answer.promise
    },
  }
}
