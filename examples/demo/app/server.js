// An Express server that uses the published package, and one request to it.
import express from 'express'
import { greet } from '@demo/greeting'

const app = express()
app.get('/hello/:name', (request, response) => {
  response.json({ greeting: greet(request.params.name, request.query.language) })
})

const server = app.listen(0, '127.0.0.1', async () => {
  const path = '/hello/world?language=fr'
  const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`)
  console.log(`GET ${path} -> ${response.status} ${await response.text()}`)
  server.close()
  server.closeAllConnections()
})
