"""Real projects of about 100, 400 and 1000 packages, as package.json."""

SMALL = {
    "name": "small",
    "version": "1.0.0",
    "dependencies": {"axios": "^1.0.0", "express": "^5.0.0", "glob": "^11.0.0", "semver": "^7.0.0"},
    "devDependencies": {"esbuild": "^0.25.0"},
}

MEDIUM = {
    "name": "medium",
    "version": "1.0.0",
    "dependencies": {"express": "^5.0.0"},
    "devDependencies": {"eslint": "^9.0.0", "jest": "^30.0.0", "rollup": "^4.0.0"},
}

LARGE = {
    "name": "large",
    "version": "1.0.0",
    "private": True,
    "dependencies": {"express": "^5.0.0", "lodash": "^4.17.21", "react": "^19.0.0", "react-dom": "^19.0.0"},
    "devDependencies": {
        "@babel/core": "^7.0.0",
        "@babel/preset-env": "^7.0.0",
        "@babel/preset-react": "^7.0.0",
        "@babel/preset-typescript": "^7.0.0",
        "babel-loader": "^10.0.0",
        "css-loader": "^7.0.0",
        "eslint": "^9.0.0",
        "eslint-plugin-import": "^2.0.0",
        "eslint-plugin-react": "^7.0.0",
        "html-webpack-plugin": "^5.0.0",
        "jest": "^30.0.0",
        "jest-environment-jsdom": "^30.0.0",
        "mocha": "^11.0.0",
        "postcss-preset-env": "^10.0.0",
        "prettier": "^3.0.0",
        "rollup": "^4.0.0",
        "sass": "^1.0.0",
        "style-loader": "^4.0.0",
        "terser-webpack-plugin": "^5.0.0",
        "typescript": "^5.0.0",
        "vite": "^8.0.0",
        "webpack": "^5.0.0",
        "webpack-cli": "^6.0.0",
        "webpack-dev-server": "^5.0.0",
    },
}
