/** The tabs a new visitor finds, each a complete operation of the API. */
export const EXAMPLES: { query: string; variables?: string }[] = [
  {
    query: `# Welcome to Framewise.
# Sign in above, then run this with Ctrl-Enter.
# The next tabs start an analysis and watch it.
# The book icon on the left opens the docs.

query Models {
  mlModels {
    name
    task
    labels
    license
    isReady
    description
  }
}
`,
  },
  {
    query: `# This page cannot send files. Upload videos with
#   framewise analyze clip.mp4
# or with uploadVideos from your own client, by the
# GraphQL multipart request specification.

query MyVideos {
  videos(first: 20) {
    edges {
      node {
        id
        filename
        status
        rejectionReason
        durationSeconds
        width
        height
        url
      }
    }
  }
}
`,
  },
  {
    query: `# Put the id of a video from MyVideos into the
# variables below.

mutation StartAnalysis($input: StartAnalysisInput!) {
  startAnalysis(input: $input) {
    analysis {
      id
      status
    }
    userErrors {
      code
      message
      path
    }
  }
}
`,
    variables: `{
  "input": {
    "videoId": "",
    "settings": {
      "mlModel": "yunet-2026may",
      "tracker": "BYTE_TRACK"
    }
  }
}
`,
  },
  {
    query: `# All your analyses, live: run this, then start
# one from another window or the command line.

subscription WatchMyAnalyses {
  myAnalysesProgress {
    analysisId
    status
    progress
    framesDone
    framesTotal
    framesPerSecond
    etaSeconds
    counts {
      label
      detections
      tracks
    }
    errorMessage
  }
}
`,
  },
  {
    query: `query MyAnalyses {
  analyses(first: 20) {
    edges {
      node {
        id
        status
        progress
        video {
          filename
        }
        counts {
          label
          detections
          tracks
        }
        resultUrl(format: JSON)
        overlayUrl
      }
    }
  }
}
`,
  },
];
