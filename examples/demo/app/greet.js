// Uses the published package alone.
import { greet, languages } from '@demo/greeting'

for (const language of languages) console.log(greet('world', language))
