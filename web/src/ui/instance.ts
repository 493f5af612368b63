import { App } from './app.ts';

/** The one page. Components take it from here. */
export const app = new App();
