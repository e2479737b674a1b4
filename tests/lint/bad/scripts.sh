#!/bin/bash
rm -rf $1/$2
