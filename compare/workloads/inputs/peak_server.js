// SPDX-License-Identifier: MIT
// peak_server.js SOCKET: an HTTP server that keeps the documents that are posted to it.
//
// POST /documents keeps the body and the parsed document's number, DELETE /documents forgets all
// and collects garbage (--expose-gc), DELETE /server ends the process. Each answer is the number
// of documents kept.
'use strict';
const http = require('http');

let kept = [];

function answer(request, response, body) {
  if (request.method === 'POST') {
    kept.push({ id: JSON.parse(body).id, body });
  } else if (request.url === '/documents') {
    kept = [];
    global.gc();
  }
  response.end(String(kept.length));
  if (request.method === 'DELETE' && request.url === '/server') {
    response.on('finish', () => process.exit(0));
  }
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => answer(request, response, Buffer.concat(chunks)));
});
server.keepAliveTimeout = 0; // idle connections stay
server.requestTimeout = 0;
server.listen(process.argv[2]);
