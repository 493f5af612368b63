import './ui/styles/fonts.css';
import './ui/styles/tokens.css';
import './ui/styles/base.css';
import { mount } from 'svelte';
import { app } from './ui/instance.ts';
import Page from './ui/Page.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('no #app in the page');
app.boot();
mount(Page, { target });
