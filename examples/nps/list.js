/** Prints the scores. */
import { join } from 'node:path'
import { openScores } from './scores.js'

const scores = openScores(join(process.env.FOLDER ?? '.', 'scores.db'))
console.table(scores.all())
scores.close()
