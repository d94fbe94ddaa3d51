const greetings = { de: 'Hallo', en: 'Hello', es: 'Hola', fr: 'Bonjour', ja: 'こんにちは', sw: 'Habari' }

export const languages = Object.keys(greetings)

export function greet(name, language = 'en') {
  return `${greetings[language] ?? greetings.en}, ${name}!`
}
