#!/usr/bin/env bash
# Upload a video and count what is in it, with curl and jq.
#
#   examples/curl.sh clip.mp4
#
# FRAMEWISE_URL is the server (http://127.0.0.1:8000), FRAMEWISE_USERNAME and FRAMEWISE_PASSWORD an account on it.
set -euo pipefail

video=$1
url=${FRAMEWISE_URL:-http://127.0.0.1:8000}/graphql
token=

# graphql QUERY VARIABLES prints the data of the answer, or fails with its errors.
graphql() {
  jq -n --arg query "$1" --argjson variables "$2" '{query: $query, variables: $variables}' |
    curl -sS "$url" -H 'Content-Type: application/json' -H "Authorization: Bearer $token" --data @- | data
}

data() {
  jq -e 'if .errors or ([.data[]? | .userErrors? // [] | .[]] | length > 0) then error(tojson) else .data end'
}

# 1. Sign in.
token=$(
  jq -n --arg username "$FRAMEWISE_USERNAME" --arg password "$FRAMEWISE_PASSWORD" '{
    query: "mutation ($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { message } } }",
    variables: {input: {username: $username, password: $password}}
  }' | curl -sS "$url" -H 'Content-Type: application/json' --data @- | data | jq -r .signIn.session.accessToken
)

# 2. Upload the video and start an analysis of it, in one request.
analysis=$(
  curl -sS "$url" -H "Authorization: Bearer $token" \
    -F operations='{
      "query": "mutation ($files: [Upload!]!) { uploadVideos(files: $files, analyze: {}) { analyses { id } userErrors { message } } }",
      "variables": {"files": [null]}
    }' \
    -F map='{"0": ["variables.files.0"]}' \
    -F 0=@"$video" | data | jq -r '.uploadVideos.analyses[0].id'
)

# 3. Ask how it goes until it has ended. curl has no subscriptions; the other examples are told.
query='query ($id: ID!) { analysis(id: $id) { status progress errorMessage counts { label detections tracks } } }'
variables=$(jq -n --arg id "$analysis" '{id: $id}')
while
  answer=$(graphql "$query" "$variables")
  jq -r '.analysis | "\(.status) \(.progress | floor) %"' <<<"$answer"
  jq -e '.analysis.status | . == "QUEUED" or . == "RUNNING"' >/dev/null <<<"$answer"
do
  sleep 1
done

# 4. What is in it.
jq -r '.analysis | .errorMessage // (.counts[] | "\(.label): \(.detections) detections, \(.tracks) tracks")' <<<"$answer"
jq -e '.analysis.status == "SUCCEEDED"' >/dev/null <<<"$answer"
