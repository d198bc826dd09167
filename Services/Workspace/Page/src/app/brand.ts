/** The icon has one name: it changes with the brand only. */
export const brandIcon = "/assets/icon-0harbour1.svg";
