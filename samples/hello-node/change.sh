#!/bin/bash
# The change that the walkthrough deploys: another greeting.
sed -i 's/Hello, /Goodbye, /' "$1/hello.js"
